"""What `spact-*` and the scripts of the same names in ``tools/`` run: a module each.

Each has ``main()``, which reads the command line and returns the exit code, or ends the process
with one: 0 if all is done, 1 if something could not be, 2 for a wrong command line, 130 after
Ctrl-C, 143 after SIGTERM in a training or test.
"""

"""The commands `spact-*`, also run by the scripts of the same names in ``tools/``: a module each.

Each module has a function ``main()``, which reads the command line and returns the exit code, or
ends the process with one: 0 if everything is done, 1 if something failed, 2 for a wrong command
line, 130 after Ctrl-C, 143 after SIGTERM in a training or test.
"""

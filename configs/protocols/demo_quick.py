# The demo's protocol with fewer attackers, and no attacker trains twice as long; `make demo` runs
# this protocol.
_base_ = './demo.py'

left_out = dict(only=[])
protocol = dict(
    stages=dict(resnet=left_out, resnet_raw=left_out, difference=left_out, difference_raw=left_out),
    strength=dict(_delete_=True, methods=[]),
)

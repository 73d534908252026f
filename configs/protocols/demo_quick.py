# The demo's protocol with fewer attackers, and no attacker trains twice as long; `make demo` runs
# this protocol.
_base_ = './demo.py'

left_out = dict(only=[])
protocol = dict(
    stages={
        name: left_out
        for name in ('resnet', 'resnet_raw', 'target', 'difference', 'difference_raw')
    },
    strength=dict(_delete_=True, methods=[]),
)

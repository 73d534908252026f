# The price on information, as its recipes share it (docs/method.md): f_A's frames pass a noisy
# channel, and f_A is charged for what it sends. No adversary and no labels.
price = dict(type='PricedAnonymization', privacy_branch=None, rate_weight=3e-5)
channel = dict(type='GaussianChannel', sigma_shared=0.15, sigma_frame=0.05)
# Nobody plays against f_A, so that f_A and f_T learn together, in each iteration of this stage.
together = dict(phase='anonymizer')
ramp = dict(type='NoiseRampHook', low=0.1, begin='minimax')
rate = dict(type='RateMetric')

# What the protocols of a price on information share.
# The table has the score of the recipe's own f_T, and the bound on the information in a clip.
own = dict(top1_own='acc/top1', bits_clip='rate/bits_clip')
own_columns = [
    dict(metric='top1_own', title='Top-1 of its own f_T', higher_is_better=True),
    dict(
        metric='bits_clip',
        title='a clip tells at most',
        higher_is_better=False,
        unit='bits',
        digits=0,
    ),
]
rendered_column = dict(
    metric='top1_rendered', title='Top-1 behind the renderer', higher_is_better=True
)
bound = 'The bound is in the mean over clips, and of all that a clip tells, not of a person.'
# Attackers made for noise start with a fifth of it.
ramped = [
    dict(type='ReproducibleEpochHook'),
    dict(type='ChannelsLastHook'),
    dict(type='NoiseRampHook', low=0.2, begin=0),
]

# What the small data sets share: sending samples from another process would take as long as making
# them, and there are few enough videos to keep their frames in memory.
training = dict(num_workers=0, drop_last=True, sampler=dict(type='DefaultSampler', shuffle=True))
testing = dict(num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False))
opening = dict(type='DecordInitFromPath', cache=dict(max_gib=1.0))
packing = [dict(type='FormatShape', input_format='NCTHW'), dict(type='PackActionInputs')]

# What the attackers for CPUs share: raw images or clips by default, and their training.
raw = dict(
    # The anonymizer, and the checkpoint of the minimax training with its weights.
    anonymizer=dict(type='IdentityAnonymizer'),
    checkpoint=None,
)
image_preprocessor = dict(
    type='AnonymizedImagePreprocessor', **raw, mean=[127.5] * 3, std=[60.0] * 3, to_onehot=False
)
clip_preprocessor = dict(type='AnonymizedClipPreprocessor', **raw, to_onehot=False)

# Narrow networks are faster channels-last, also on CPUs.
custom_hooks = [dict(type='ReproducibleEpochHook'), dict(type='ChannelsLastHook')]
train_cfg = dict(type='ResumableTrainLoop', by_epoch=True)
auto_scale_lr = dict(enable=False, base_batch_size=32)
iterations = dict(by_epoch=True, convert_to_iter_based=True)
test_cfg = dict()

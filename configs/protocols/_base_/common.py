# Settings shared by the protocols.

# The methods without training.
untrained = [
    dict(name='raw', anonymizer=dict(type='IdentityAnonymizer')),
    dict(name='downsample 2×', anonymizer=dict(type='DownsampleAnonymizer', factor=2)),
    dict(name='downsample 4×', anonymizer=dict(type='DownsampleAnonymizer', factor=4)),
    dict(
        name='weak blur',
        anonymizer=dict(type='GaussianBlurAnonymizer', kernel_size=13, sigma=10),
    ),
    dict(
        name='strong blur',
        anonymizer=dict(type='GaussianBlurAnonymizer', kernel_size=21, sigma=10),
    ),
]
obfuscations = ['downsample 2×', 'downsample 4×', 'blackening', 'weak blur', 'strong blur']
notes = [
    'Frames are rewritten one by one. Gait, body shape, place and time stay.',
    'Published numbers are of other networks, other training and other hardware.',
]
# Methods shared by the protocols on the paper's data. For an f_A that is trained already, give
# checkpoint='work_dirs/.../epoch_370.pth' in place of train; it is the same for all seeds.
trained_on_ucf101 = [
    dict(name='supervised', train=dict(config='../supervised_r3d_ucf101.py')),
    dict(name='SPAct', train=dict(config='../spact_r3d_ucf101.py')),
]
# Each protocol says which of its stages train behind the noise of a price on information. There
# fresh models start with a fifth of the noise, which rises over the first half of their training.
price_on_ucf101 = dict(name='price', train=dict(config='../price_r3d_ucf101.py'))
lengths = dict(action=100, resnet=100, finetuned=30, inverter=20, image=40, convnext=100)
ramps = {
    kind: dict(
        custom_hooks=[
            dict(type='ReproducibleEpochHook'),
            dict(type='NoiseRampHook', low=0.2, begin=0, end=length // 2),
        ]
    )
    for kind, length in lengths.items()
}
# Each protocol gives its stages the boxes of persons (docs/person_boxes.md).
blackening = dict(name='blackening', anonymizer=dict(type='BlackenAnonymizer'))
ucf101_boxes = dict(box_file='{{$UCF101_ROOT:data/ucf101}}/person_boxes.json')
hmdb51_boxes = dict(box_file='{{$HMDB51_ROOT:data/hmdb51}}/person_boxes.json')
vispr_boxes = dict(box_file='{{$VISPR_ROOT:data/vispr}}/person_boxes.json')

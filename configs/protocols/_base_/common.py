# Settings shared by the protocols.

# The methods without training, except blackening, which needs boxes of persons
# (docs/person_boxes.md) and so other configs in each protocol.
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
attacker_metrics = dict(cmap='privacy/cMAP', f1='privacy/F1', cmap_chance='privacy/cMAP_chance')
# Options for an attacker who starts from an attacker trained on raw images.
finetuning = {
    'optim_wrapper.optimizer.lr': 4e-5,
    'train_cfg.max_epochs': 30,
    'param_scheduler.1.milestones': [15, 25],
}

# Methods shared by the protocols on the paper's data. For an f_A that is trained already, give
# checkpoint='work_dirs/.../epoch_370.pth' in place of train; it is the same for all seeds.
trained_on_ucf101 = [
    dict(name='supervised', train=dict(config='../supervised_r3d_ucf101.py')),
    dict(name='SPAct', train=dict(config='../spact_r3d_ucf101.py')),
]
# An attacker who first undoes the anonymizer, which is learnt on VISPR, then uses the attacker on
# raw images. Black boxes hold nothing that could be undone.
inverter = dict(
    config='../eval/reconstruction_vispr.py',
    slot='model',
    metrics=dict(psnr='reconstruction/PSNR', ssim='reconstruction/SSIM'),
    skip=['raw', 'blackening'],
)
reconstruction = dict(
    train=False,
    inverter='inverter',
    metrics=dict(cmap_reconstructed='privacy/cMAP'),
    skip=['raw', 'blackening'],
)

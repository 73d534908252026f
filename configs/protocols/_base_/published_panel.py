# The panel of the protocols on the published data sets: ResNet-50, and attackers beside it. The
# protocols have not been run with the latter yet.
_base_ = './common.py'
attacker = dict(score='privacy/cMAP', chance='privacy/cMAP_chance')
# On raw frames these attackers train from scratch. Behind each method they start from the weights
# of raw's attackers and train in full: trained from scratch on anonymized frames, an attacker may
# find nothing only because its training is too short.
image = '../eval/attack_image_vispr1.py'
convnext = '../eval/attack_convnext_vispr1.py'
on_raw = dict(attacker=attacker, only=['raw'])
from_raw = dict(attacker=attacker, skip=['raw'])

# ResNet-50, which trains from scratch behind each method.
metrics = dict(cmap='privacy/cMAP', f1='privacy/F1', cmap_chance='privacy/cMAP_chance')
from_scratch = dict(attacker=attacker, metrics=metrics)
# It also starts from its weights on raw images, with these options.
finetuning = {
    'optim_wrapper.optimizer.lr': 4e-5,
    'train_cfg.max_epochs': 30,
    'param_scheduler.1.milestones': [15, 25],
}
finetuned = dict(**from_raw, metrics=dict(cmap_finetuned='privacy/cMAP'))

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
    attacker=attacker,
    metrics=dict(cmap_reconstructed='privacy/cMAP'),
    skip=['raw', 'blackening'],
)
attack_columns = ['cmap_finetuned', 'cmap_reconstructed', 'psnr', 'ssim']

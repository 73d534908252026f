# The fresh models of the demo's protocols: an action target, and a panel of attackers. Each one is
# measured on the test persons, and chosen on persons that are in neither training nor test.
attacker = dict(score='privacy/cMAP', chance='privacy/cMAP_chance')
image = '../eval/attack_image_demo.py'
mean = '../eval/attack_mean_demo.py'
clip = '../eval/attack_clip_demo.py'
from_scratch = dict(
    action=dict(config='../eval/action_r3d_demo.py', metrics=dict(top1='acc/top1')),
    image=dict(config=image, attacker=attacker, metrics=dict(f1='privacy/F1')),
    resnet=dict(config='../eval/privacy_resnet_demo.py', attacker=attacker),
    # That of images, frame by frame over whole videos.
    video=dict(config='../eval/attack_video_demo.py', train=False, load='image', attacker=attacker),
    mean=dict(config=mean, attacker=attacker),
    difference=dict(config='../eval/attack_difference_demo.py', attacker=attacker),
    clip=dict(config=clip, attacker=attacker),
    # From the weights of the action target, which has learnt to see through f_A.
    target=dict(config=clip, load='action', attacker=attacker),
)
further = dict(
    # From the weights of an attacker of raw images.
    finetuned=dict(
        config=image,
        load='raw:image',
        options={
            'optim_wrapper.optimizer.lr': 1e-3,
            'param_scheduler.eta_max': 1e-3,
            'param_scheduler.total_steps': 4,
            'train_cfg.max_epochs': 4,
        },
        attacker=attacker,
    ),
    # Those who first undo the anonymizer, then ask the attackers of raw images and videos.
    inverter=dict(
        config='../eval/reconstruction_demo.py',
        slot='model',
        metrics=dict(psnr='reconstruction/PSNR', ssim='reconstruction/SSIM'),
    ),
    undone=dict(
        config=image, train=False, load='raw:image', inverter='inverter', attacker=attacker
    ),
    undone_mean=dict(
        config=mean, train=False, load='raw:mean', inverter='inverter', attacker=attacker
    ),
)

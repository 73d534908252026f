# The fresh models of the demo's protocols: an action target, and a panel of attackers. Attackers
# are measured on the test persons, and chosen on persons who are in neither training nor test.
attacker = dict(score='privacy/cMAP', chance='privacy/cMAP_chance')
image = '../eval/attack_image_demo.py'
mean = '../eval/attack_mean_demo.py'
difference = '../eval/attack_difference_demo.py'
clip = '../eval/attack_clip_demo.py'
resnet = '../eval/privacy_resnet_demo.py'
from_scratch = dict(
    action=dict(config='../eval/action_r3d_demo.py', metrics=dict(top1='acc/top1')),
    image=dict(config=image, attacker=attacker, metrics=dict(f1='privacy/F1')),
    # Starts from the weights of the action target, which has learnt to see through f_A. The target
    # has another head.
    target=dict(
        config=clip,
        load='action',
        options={'default_hooks.checkpoint.strict': False},
        attacker=attacker,
    ),
)
# Attackers on raw frames; the others start from their weights.
on_raw = dict(
    resnet=dict(config=resnet, only=['raw'], attacker=attacker),
    mean=dict(config=mean, only=['raw'], attacker=attacker),
    difference=dict(config=difference, only=['raw'], attacker=attacker),
    clip=dict(config=clip, only=['raw'], attacker=attacker),
)
# Trained from scratch on anonymized frames, an attacker may find nothing only because its training
# is too short.
from_raw = dict(
    image_raw=dict(config=image, load='raw:image', skip=['raw'], attacker=attacker),
    resnet_raw=dict(config=resnet, load='raw:resnet', skip=['raw'], attacker=attacker),
    # The attacker on images, frame by frame over whole videos.
    video_raw=dict(
        config='../eval/attack_video_demo.py',
        train=False,
        load='image_raw',
        skip=['raw'],
        attacker=attacker,
    ),
    mean_raw=dict(config=mean, load='raw:mean', skip=['raw'], attacker=attacker),
    difference_raw=dict(config=difference, load='raw:difference', skip=['raw'], attacker=attacker),
    clip_raw=dict(config=clip, load='raw:clip', skip=['raw'], attacker=attacker),
)
fresh = dict(**from_scratch, **on_raw, **from_raw)
# Attackers who first undo the anonymizer, then use the attackers on raw images and videos.
undoing = dict(
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

# The panel of the protocols on the published data sets: attackers beside ResNet-50, and their
# comparison. The protocols have not been run with these attackers yet.
attacker = dict(score='privacy/cMAP', chance='privacy/cMAP_chance')
# On raw frames these attackers train from scratch. Behind each method they start from the weights
# of raw's attackers and train in full: trained from scratch on anonymized frames, an attacker may
# find nothing only because its training is too short.
image = '../eval/attack_image_vispr1.py'
convnext = '../eval/attack_convnext_vispr1.py'

# Options that give these attackers boxes of persons, for blackening (docs/person_boxes.md).
vispr_pipeline = [
    dict(type='LoadImageRGB'),
    dict(
        type='LoadPersonBoxes',
        box_file='{{$VISPR_ROOT:data/vispr}}/person_boxes.json',
        min_score=0.5,
    ),
    dict(type='mmpretrain.Resize', scale=(224, 224)),
    dict(type='mmpretrain.PackInputs', meta_keys=('img_path', 'person_boxes')),
]
vispr_boxes = {
    f'{split}_dataloader.dataset.pipeline': vispr_pipeline for split in ('train', 'val', 'test')
}

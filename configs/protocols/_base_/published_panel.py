# How the protocols of the published data sets compare attackers, and whom they ask beside
# ResNet-50. They have not been run with these yet.
attacker = dict(score='privacy/cMAP', chance='privacy/cMAP_chance')
# On raw frames these begin from scratch. Behind each method they begin with raw's weights and train
# in full: from scratch, an attacker of rewritten frames may find nothing for want of training.
image = '../eval/attack_image_vispr1.py'
convnext = '../eval/attack_convnext_vispr1.py'

# For blackening, options that give these attackers boxes of persons (docs/person_boxes.md).
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

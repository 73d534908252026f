# The user's own clips: tools/attack.py makes the clips and lists, and sets the options that depend
# on them. The clips are small copies of whole frames, without a crop.
clips = '{{$CLIPS_ROOT:data/clips}}'
num_classes = 10
own_model = dict(
    # The tint of a day occurs in all parts of the user's own clips, so an attacker may use it.
    data_preprocessor=dict(augment=dict(_delete_=True, flip=0.5, shift=4), num_classes=num_classes),
    head=dict(num_classes=num_classes),
)
own_videos = {
    part: dict(ann_file=f'{clips}/{part}.json', data_prefix=dict(video=f'{clips}/videos'))
    for part in ('train', 'val', 'test')
}
cropping = ('SquareCrop', 'Resize', 'mmpretrain.Resize')

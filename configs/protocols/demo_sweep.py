# What makes an attacker strong? The attacker on single images, trained from scratch, with one
# change at a time, on raw frames and behind SPAct.
_base_ = './demo.py'
_base_.pop('protocol')

narrow, wide = (12, 24, 48, 48), (36, 72, 144, 144)


def image(**options):
    """Return the panel's attacker on images with changes of its config."""
    return dict(config=_base_.image, attacker=_base_.attacker, options=options)


def width(widths):
    """Return that attacker with other widths."""
    return image(**{'model.backbone.widths': widths, 'model.head.in_channels': 2 * widths[-1]})


def length(epochs):
    """Return that attacker with another length of its training."""
    return image(**{'train_cfg.max_epochs': epochs, 'param_scheduler.total_steps': epochs})


protocol = dict(
    title='Demo set: what makes an attacker strong',
    seeds=[0, 1, 2],
    methods=[
        _base_.untrained[0],
        dict(name='SPAct', train=dict(config='../spact_r3d_demo.py', options=_base_.untested)),
    ],
    stages=dict(
        image=_base_.from_scratch['image'],
        half_resolution=image(**{'model.backbone.stem_stride': 2}),
        mean_pooled=image(
            **{
                'model.neck.type': 'GlobalAveragePooling',
                'model.head.in_channels': 96,
            }
        ),
        narrow=width(narrow),
        wide=width(wide),
        quarter=length(3),
        half=length(6),
        twice=length(24),
        not_augmented=image(**{'model.data_preprocessor.augment': None}),
        from_raw=dict(_base_.from_raw['image_raw']),
        from_raw_not_augmented=dict(
            _base_.from_raw['image_raw'], options={'model.data_preprocessor.augment': None}
        ),
    ),
    report=dict(data='the rendered demo set (1200/400 images; 6 attributes)', notes=[]),
)

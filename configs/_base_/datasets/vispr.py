# VISPR without labels (tools/data/vispr/README.md describes the preparation).
vispr_root = '{{$VISPR_ROOT:data/vispr}}'
privacy_dataloader = dict(
    batch_size=64,  # [code]
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='ReproducibleDataset',
        dataset='VISPRDataset',
        ann_file=f'{vispr_root}/vispr_train.json',
        data_prefix=dict(img_path=f'{vispr_root}/images'),
    ),
)

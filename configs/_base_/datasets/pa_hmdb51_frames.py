# The labelled frames of PA-HMDB51, for attackers who are trained on VISPR1 and see 224 x 224.
pa_frames = dict(
    type='ReproducibleDataset',
    dataset='PAHMDB51Dataset',
    ann_file='data/pa_hmdb51/pa_hmdb51.json',
    data_prefix=dict(video='{{$HMDB51_ROOT:data/hmdb51}}/videos'),
    # 8 takes every eighth frame: neighbours differ little, and each is decoded by itself.
    frame_interval=1,
    # The attacker's outputs are seven, the labels here are five.
    with_score=False,
    pipeline=[
        dict(type='LoadVideoFrame'),
        dict(type='mmpretrain.Resize', scale=(224, 224)),
        dict(type='mmpretrain.PackInputs', meta_keys=('filename', 'frame_index')),
    ],
    test_mode=True,
)
# spact_mm.datasets.VISPR1_COLUMNS. Image level only: an attribute comes and goes within a video.
pa_columns = dict(skin_color=[0], gender=[1], face=[2, 3], nudity=[4], relationship=[5, 6])

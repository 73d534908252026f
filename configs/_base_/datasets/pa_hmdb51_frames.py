# The labelled frames of PA-HMDB51, for attackers trained on VISPR1 with inputs of 224 x 224.
# BlackenAnonymizer needs a file with boxes of persons (docs/person_boxes.md).
pa_box_file = ''
pa_boxes = [dict(type='LoadPersonBoxes', box_file=pa_box_file, min_score=0.5)]
pa_frames = dict(
    type='ReproducibleDataset',
    dataset='PAHMDB51Dataset',
    ann_file='data/pa_hmdb51/pa_hmdb51.json',
    data_prefix=dict(video='{{$HMDB51_ROOT:data/hmdb51}}/videos'),
    # 8 takes every eighth frame: neighbours differ little, and each frame is decoded separately.
    frame_interval=1,
    # The attacker has seven outputs; there are five labels here.
    with_score=False,
    pipeline=[
        dict(type='LoadVideoFrame'),
        *(pa_boxes if pa_box_file else []),
        dict(type='mmpretrain.Resize', scale=(224, 224)),
        dict(
            type='mmpretrain.PackInputs',
            meta_keys=('filename', 'frame_index', *(['person_boxes'] if pa_box_file else [])),
        ),
    ],
    test_mode=True,
)
# spact_mm.datasets.VISPR1_COLUMNS. Image level only: attributes change within a video.
pa_columns = dict(skin_color=[0], gender=[1], face=[2, 3], nudity=[4], relationship=[5, 6])

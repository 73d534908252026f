# HMDB51 without the videos of PA-HMDB51 for training, and these videos for tests: the lists that
# tools/data/hmdb51/convert.py writes with --exclude-pa-hmdb51. The published splits do not separate
# them: split 1 trains on 286 of the 515 videos.
hmdb51_root = '{{$HMDB51_ROOT:data/hmdb51}}'
train_videos = dict(
    ann_file=f'{hmdb51_root}/hmdb51_train_without_pa.txt',
    data_prefix=dict(video=f'{hmdb51_root}/videos'),
)
test_videos = dict(
    ann_file=f'{hmdb51_root}/pa_hmdb51_videos.txt',
    data_prefix=dict(video=f'{hmdb51_root}/videos'),
)

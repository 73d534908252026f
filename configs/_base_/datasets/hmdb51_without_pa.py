# All of HMDB51 but the videos of PA-HMDB51, and these: what tools/data/hmdb51/convert.py writes
# with --exclude-pa-hmdb51. The published splits do not keep them apart: split 1 trains on 286 of
# the 515.
hmdb51_root = '{{$HMDB51_ROOT:data/hmdb51}}'
train_videos = dict(
    ann_file=f'{hmdb51_root}/hmdb51_train_without_pa.txt',
    data_prefix=dict(video=f'{hmdb51_root}/videos'),
)
test_videos = dict(
    ann_file=f'{hmdb51_root}/pa_hmdb51_videos.txt',
    data_prefix=dict(video=f'{hmdb51_root}/videos'),
)

# SPAct without a second data set: the two views are frames of one clip, 5 to 15 video frames apart
# (the paper's description).
_base_ = './spact_r3d_ucf101.py'
privacy_dataloader = None
model = dict(view_distance=(3, 7))  # in frames of the clip; one is two video frames

# SPAct (Dave, Chen, Shah: CVPR 2022, arXiv 2203.15205) on UCF101 and VISPR, from scratch in one
# run: reconstruction, warm-up, minimax. Sources of the settings: [paper] the paper, [code] the
# official code (github.com/DAVEISHAN/SPAct at 7cf3770), [here] a choice of this project where both
# are silent.
_base_ = [
    './_base_/minimax_runtime.py',
    './_base_/recognizers/r3d18_dilated.py',
    './_base_/datasets/ucf101.py',
    './_base_/datasets/vispr.py',
]

# ---- Models -----------------------------------------------------------------------------------
model = dict(
    type='MinimaxAnonymization',
    # f_A: 17,267,523 parameters [code]. with_cp recomputes activations: it saves five sixths of
    # f_A's activation memory and is a tenth to a fifth slower.
    anonymizer=dict(type='UNetAnonymizer', base_channels=64, num_levels=4, with_cp=False),
    recognizer=_base_.r3d18,  # f_T
    # f_B: ResNet-50 and Linear(2048, 2048) - ReLU - Linear(2048, 128) [code]; temperature 0.1
    # [paper, code].
    privacy_branch=dict(
        type='ContrastivePrivacyBranch',
        backbone=dict(
            type='mmpretrain.ResNet',
            depth=50,
            # ImageNet weights of the MMPretrain zoo:
            # init_cfg=dict(type='Pretrained', prefix='backbone.', checkpoint='https://'
            #     'download.openmmlab.com/mmclassification/v0/resnet/'
            #     'resnet50_8xb32_in1k_20210831-ea4938fc.pth'),
        ),
        neck=dict(
            type='mmpretrain.MoCoV2Neck', in_channels=2048, hid_channels=2048, out_channels=128
        ),
        loss=dict(type='NTXentLoss', temperature=0.1),
    ),
    # omega in L_T - omega * L_B: 1 [code]; in (0, 1) in the paper's formula.
    privacy_weight=1.0,
    # Frames of each clip for the L1, beside the privacy images [here]; the code adds 1 % of
    # UCF101's frames.
    reconstruction_frames=1,
    max_frames_per_pass=256,
)

# ---- Schedule ---------------------------------------------------------------------------------
# f_A starts at the identity (used at epoch 20, L1 about 0.01) [code]; f_T is trained through it for
# 50 epochs and f_B beside it [code: 50 and 160, each by itself]; then step 1 and step 2 alternate
# by batch [paper, code], for the code's 300 epochs [code]. These numbers alone define the lengths
# of the stages: the end of the run and the schedulers follow them.
custom_hooks = [
    dict(
        type='MinimaxPhaseHook',
        schedule=[
            dict(name='reconstruction', phase='reconstruction', epochs=20),
            dict(name='warmup', phase='adversaries', epochs=50),
            dict(name='minimax', phase=('anonymizer', 'adversaries'), epochs=300),
        ],
        max_reconstruction_l1=0.03,
    )
]

# ---- Optimizers -------------------------------------------------------------------------------
# Three Adams [code]: f_A 1e-3 with factors .01 .2575 .505 .7525 1 in its first five epochs, then
# 1e-4 in minimax; f_T and f_B 1e-4; no weight decay [code].
optim_wrapper = dict(
    constructor='MinimaxOptimWrapperConstructor',
    anonymizer=dict(optimizer=dict(type='Adam', lr=1e-3)),
    recognizer=dict(optimizer=dict(type='Adam', lr=1e-4)),
    privacy_branch=dict(optimizer=dict(type='Adam', lr=1e-4)),
)
# For --auto-scale-lr: the number of clips in a batch, over all processes, for these rates.
auto_scale_lr = dict(enable=False, base_batch_size=24)
param_scheduler = dict(
    anonymizer=[
        dict(type='LinearLR', start_factor=0.01, by_epoch=True, begin=0, end='reconstruction+5'),
        dict(type='MultiStepLR', by_epoch=True, milestones=['minimax'], gamma=0.1),
    ],
    recognizer=[],
    privacy_branch=[],
)

# ---- Data -------------------------------------------------------------------------------------
# Clips: _base_/datasets/ucf101.py. Images: _base_/datasets/vispr.py; with privacy_dataloader = None
# the views come from the clips alone, two frames 5 to 15 apart [paper].
size = _base_.size
# Two views of each image, cropped and coloured like the clips [code].
privacy_pipeline = [
    # 112 pixels of the smallest crop; VISPR's photographs are decoded at a quarter of their size.
    dict(type='LoadImageRGB', min_size=187),
    dict(
        type='TwoViews',
        transforms=[
            dict(type='SquareCrop', scale=(0.6, 1.0)),
            dict(type='Resize', scale=(size, size), keep_ratio=False),
            dict(type='ClipColorJitter'),
            dict(type='FlipOrErase', flip=0.5, erase=0.25, erase_size=(9, 18)),
        ],
    ),
    dict(type='mmpretrain.PackInputs'),
]
privacy_dataloader = dict(dataset=dict(pipeline=privacy_pipeline))
# The Top-1 on test videos is only monitored, without selection: the checkpoint to use is the last.
val_dataloader = _base_.test_dataloader

# epoch_length='shortest' cuts an epoch to the shorter loader [code].
train_cfg = dict(
    type='MinimaxTrainLoop',
    epoch_length='action',
    val_interval=5,
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
val_evaluator = [dict(type='AccMetric'), dict(type='FrameChangeMetric')]
test_evaluator = val_evaluator

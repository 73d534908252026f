"""Models: the anonymizer, the privacy branches, and the minimax model that trains them.

Modules are imported when their names are first used: anonymizers need neither MMAction2 nor
MMPretrain.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs=dict(
        anonymizers=[
            'BlackenAnonymizer',
            'ClipRenderer',
            'ConstantAnonymizer',
            'DownsampleAnonymizer',
            'GaussianBlurAnonymizer',
            'GaussianChannel',
            'IdentityAnonymizer',
            'NoiseAnonymizer',
            'PixelateAnonymizer',
            'RecolorAnonymizer',
            'SequentialAnonymizer',
            'UNetAnonymizer',
            'UNetPlusPlusAnonymizer',
            'is_cacheable',
            'is_random',
            'takes_clips',
        ],
        attackers=[
            'AnonymizedClipPreprocessor',
            'EmbeddingClassifier',
            'FullResolutionCNN',
            'MeanMaxPooling',
        ],
        backbones=['DilatedResNet3d'],
        clip_augmentation=['ClipAugmentation'],
        device_augmentation=['DeviceAugmentation'],
        losses=['NTXentLoss'],
        minimax=['MinimaxAnonymization'],
        minimax_preprocessor=['MinimaxDataPreprocessor'],
        preprocessors=['AnonymizedActionPreprocessor', 'AnonymizedImagePreprocessor'],
        priced=['PricedAnonymization'],
        privacy=[
            'AttributePrivacyBranch',
            'ContrastivePrivacyBranch',
            'PrivacyBranch',
            'ReconstructionAttack',
            'ReconstructionPreprocessor',
        ],
        renderer=['RendererPreprocessor', 'RendererTraining'],
    ),
)

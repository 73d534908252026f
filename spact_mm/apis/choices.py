"""What a command line can choose to anonymize with."""

from collections.abc import Callable

#: Libraries that can compute a trained anonymizer.
BACKENDS = ('torch', 'onnxruntime')
#: Obfuscations by name, as functions of the frames' shorter side ``side``. Settings of the
#: literature are for 112 x 112 and are scaled in proportion.
METHODS: dict[str, Callable[[int], dict]] = {
    'blur': lambda side: dict(
        type='GaussianBlurAnonymizer',
        kernel_size=2 * round(10 * side / 112) + 1,
        sigma=10 * side / 112,
    ),
    'downsample': lambda side: dict(type='DownsampleAnonymizer', factor=max(1, side / 28)),
    'pixelate': lambda side: dict(type='PixelateAnonymizer', block=max(1, round(side / 7))),
    'black': lambda side: dict(type='ConstantAnonymizer', value=0.0),
}

# Published numbers of other authors, as fractions: {protocol: {source: {method: {metric: value}}}}.
# The numbers of SPAct's paper are taken from a later paper that quotes them; numbers called
# unconfirmed were not found in any text. "supervised" is the adversarial training of Wu et al.
quoted = 'SPAct, as quoted in a later paper'
unconfirmed = 'SPAct (unconfirmed)'
published = dict(
    known={
        quoted: {
            'raw': dict(cmap=0.6441, f1=0.555),
            'downsample 2×': dict(top1=0.5411, cmap=0.5723, f1=0.483),
            'downsample 4×': dict(top1=0.3965, cmap=0.5007, f1=0.379),
            'blackening': dict(top1=0.5313, cmap=0.5639, f1=0.457),
            'weak blur': dict(top1=0.6152, cmap=0.6352, f1=0.523),
            'strong blur': dict(top1=0.5559, cmap=0.5594, f1=0.456),
            'supervised': dict(top1=0.6210, cmap=0.5532, f1=0.461),
            'SPAct': dict(top1=0.6203, cmap=0.5743, f1=0.473),
        },
        unconfirmed: {'raw': dict(top1=0.6233)},
    },
    pa_hmdb51={
        quoted: {
            'downsample 2×': dict(top1=0.361, cmap=0.612, f1=0.111),
            'downsample 4×': dict(top1=0.258, cmap=0.414, f1=0.081),
            'blackening': dict(top1=0.342, cmap=0.638, f1=0.386),
            'weak blur': dict(top1=0.415, cmap=0.691, f1=0.384),
            'strong blur': dict(top1=0.364, cmap=0.644, f1=0.243),
            'supervised': dict(top1=0.423, cmap=0.623, f1=0.194),
            'SPAct': dict(top1=0.431, cmap=0.627, f1=0.176),
        },
        unconfirmed: {'raw': dict(top1=0.436, cmap=0.701, f1=0.401)},
    },
    novel_action={quoted: {'supervised': dict(top1=0.332), 'SPAct': dict(top1=0.341)}},
    novel_action_pa_hmdb51={quoted: {'supervised': dict(top1=0.406), 'SPAct': dict(top1=0.428)}},
    novel_attributes={
        quoted: {
            'supervised': dict(cmap=0.496, f1=0.399),
            'SPAct': dict(cmap=0.471, f1=0.386),
        }
    },
)

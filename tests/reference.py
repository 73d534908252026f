"""Plain PyTorch networks and training steps, written from the paper and the layout of its code.

They share nothing with the package, so that agreement with them means something.
"""

import torch
import torch.nn.functional as F
from torch import nn


def double_conv(cin, mid, cout):
    return nn.Sequential(
        nn.Conv2d(cin, mid, 3, padding=1), nn.BatchNorm2d(mid), nn.ReLU(),
        nn.Conv2d(mid, cout, 3, padding=1), nn.BatchNorm2d(cout), nn.ReLU(),
    )  # fmt: skip


class UNet(nn.Module):
    """The five resolutions written out one by one; `c` is the width of the first."""

    def __init__(self, c=64):
        super().__init__()
        self.inc = double_conv(3, c, c)
        self.down1 = double_conv(c, 2 * c, 2 * c)
        self.down2 = double_conv(2 * c, 4 * c, 4 * c)
        self.down3 = double_conv(4 * c, 8 * c, 8 * c)
        self.down4 = double_conv(8 * c, 8 * c, 8 * c)
        self.up1 = double_conv(16 * c, 8 * c, 4 * c)
        self.up2 = double_conv(8 * c, 4 * c, 2 * c)
        self.up3 = double_conv(4 * c, 2 * c, c)
        self.up4 = double_conv(2 * c, c, c)
        self.outc = nn.Conv2d(c, 3, 1)
        self.upsample = nn.Upsample(scale_factor=2, mode='bilinear', align_corners=True)

    def join(self, deep, skip):
        deep = self.upsample(deep)
        dy, dx = skip.shape[2] - deep.shape[2], skip.shape[3] - deep.shape[3]
        deep = F.pad(deep, [dx // 2, dx - dx // 2, dy // 2, dy - dy // 2])
        return torch.cat([skip, deep], 1)

    def forward(self, x):
        pool = nn.MaxPool2d(2)
        x1 = self.inc(x)
        x2 = self.down1(pool(x1))
        x3 = self.down2(pool(x2))
        x4 = self.down3(pool(x3))
        x5 = self.down4(pool(x4))
        x = self.up1(self.join(x5, x4))
        x = self.up2(self.join(x, x3))
        x = self.up3(self.join(x, x2))
        x = self.up4(self.join(x, x1))
        return torch.sigmoid(self.outc(x))

    #: Where each part is in UNetAnonymizer.
    NAMES = {
        'inc': 'stem', 'down1': 'encoder.0', 'down2': 'encoder.1', 'down3': 'encoder.2',
        'down4': 'encoder.3', 'up1': 'decoder.0', 'up2': 'decoder.1', 'up3': 'decoder.2',
        'up4': 'decoder.3', 'outc': 'head',
    }  # fmt: skip

    def load_ours(self, state):
        own = {}
        for key in self.state_dict():
            part, rest = key.split('.', 1)
            own[key] = state[f'{self.NAMES[part]}.{rest}']
        self.load_state_dict(own)


def nt_xent(z0, z1, temperature=0.1):
    """The formula, anchor by anchor and term by term."""
    first, second = F.normalize(z0, dim=1), F.normalize(z1, dim=1)
    n = len(first)

    def h(u, v):
        return torch.exp(torch.dot(u, v) / temperature)

    total = 0.0
    for own, other in ((first, second), (second, first)):
        for i in range(n):
            denominator = sum(h(own[i], other[j]) for j in range(n))
            denominator = denominator + sum(h(own[i], own[j]) for j in range(n) if j != i)
            total = total - torch.log(h(own[i], other[i]) / denominator)
    return total / (2 * n)


def anonymizer_step(fa, ft, fb, clips, labels, views, optimizer, weight):
    """Step 1: three f_A passes, gradients through everything, one backward pass."""
    fa.train(), ft.eval(), fb.eval()
    for network in (fa, ft, fb):
        network.zero_grad()
    loss_privacy = nt_xent(fb(fa(views[0])), fb(fa(views[1])))
    loss_action = F.cross_entropy(ft(by_frame(fa, clips)), labels)
    (loss_action - weight * loss_privacy).backward()
    optimizer.step()
    return loss_action.item(), loss_privacy.item()


def adversaries_step(fa, ft, fb, clips, labels, views, optimizer_t, optimizer_b):
    """Step 2: f_A kept in eval mode, f_T and f_B learn by their own losses."""
    fa.eval(), ft.train(), fb.train()
    for network in (fa, ft, fb):
        network.zero_grad()
    loss_action = F.cross_entropy(ft(by_frame(fa, clips)), labels)
    loss_action.backward()
    optimizer_t.step()
    loss_privacy = nt_xent(fb(fa(views[0])), fb(fa(views[1])))
    loss_privacy.backward()
    optimizer_b.step()
    return loss_action.item(), loss_privacy.item()


def by_frame(fa, clips):
    """Anonymize (B, C, T, H, W) one frame position at a time in one BatchNorm batch."""
    frames = torch.stack([clips[b, :, t] for b in range(len(clips)) for t in range(clips.shape[2])])
    out = fa(frames)
    rows = [
        torch.stack([out[b * clips.shape[2] + t] for t in range(clips.shape[2])], dim=1)
        for b in range(len(clips))
    ]
    return torch.stack(rows)

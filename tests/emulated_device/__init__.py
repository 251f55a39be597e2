"""A device that is none: its tensors say `cuda:0` or `mps:0`, and live on the processor.

They refuse what tensors of such a device would refuse.
They may not be mixed with the host's, may not become arrays of numpy, and on an
emulated Apple GPU may not be float64. So a tensor that is left on the wrong side fails
on a machine without a GPU.

Whatever makes the host wait for the device is recorded with its line (`Device.waits`).
A copy that nothing waits for has not arrived yet: whoever reads it too early reads
nonsense. A host buffer that is written to while its upload is under way is a fault.

How fast a device is, and how it rounds, is not emulated.
"""

from .device import Device, Wait
from .emulation import emulated
from .tensors import OnDevice

__all__ = ["Device", "OnDevice", "Wait", "emulated"]

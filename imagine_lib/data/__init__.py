"""Images and labels: reading them, splitting them, turning them into arrays."""

from imagine_lib.data.imageset import ImageSet
from imagine_lib.data.opening import open_dataset
from imagine_lib.data.splits import Split

__all__ = ["ImageSet", "Split", "open_dataset"]

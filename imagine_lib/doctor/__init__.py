"""The dataset doctor: looks for what would spoil a training, before any GPU is asked for."""

from imagine_lib.doctor.diagnosis import Diagnosis
from imagine_lib.doctor.examination import diagnose
from imagine_lib.doctor.finding import Finding

__all__ = ["Diagnosis", "Finding", "diagnose"]

"""forgia_hpc: the HPC batch-workload toolkit of the ForgIA AI Factory."""

__version__ = "0.1.0"

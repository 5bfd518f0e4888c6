"""The programs that Slurm calls (etc/slurm), and the one that compares its jobs with ours."""

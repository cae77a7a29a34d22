"""What every Axis product answers: accounts, what it is, what it can, whether it is ready."""

"""The contenders that are not ours, each as its own users would write it."""

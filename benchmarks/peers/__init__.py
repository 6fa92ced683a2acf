"""What else one would use, each as its users write it, and each optional but NumPy and SciPy.

Every function makes something ready to be timed, and raises Missing where its package is not there.
"""

"""How likely a gate is to pass and to fail, before anything is measured: powers, sample sizes
and smallest detectable losses.
"""

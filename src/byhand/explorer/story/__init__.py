"""The story of a trained model as one page: what it was asked, how it learnt, the units that matter, each paragraph with its numbers, a
picture and the explorer at that very place.
"""

"""Mutation testing: would the tests notice a slip in the code that decides?"""

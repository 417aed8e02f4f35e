"""switchboard"""

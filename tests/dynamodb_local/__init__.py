"""Amazon's DynamoDB Local behind the embedded AWS, for the tests of what the tables promise.

server     the engine: fetched once, started on the loopback interface, ended with the tests
database   a world's DynamoDB calls led to it
"""

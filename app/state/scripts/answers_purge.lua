-- Tell all replicas to forget their copies of some answers.
-- KEYS[1]  string: how often that was told
-- KEYS[2]  list: what was told, the last times
-- ARGV[1]  which answers
-- ARGV[2]  how many times are remembered
local count = redis.call('INCR', KEYS[1])
redis.call('RPUSH', KEYS[2], ARGV[1])
redis.call('LTRIM', KEYS[2], -ARGV[2], -1)
return count

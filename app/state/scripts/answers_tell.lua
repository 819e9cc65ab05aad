-- Let those who follow a call have more of its answer.
-- KEYS[1]  list: what has come of the answer
-- ARGV[1]  milliseconds that it is kept after the last time
-- ARGV[2]  and on: what more has come
for i = 2, #ARGV do redis.call('RPUSH', KEYS[1], ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])

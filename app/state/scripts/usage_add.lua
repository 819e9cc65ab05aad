-- Add to the sums of one day, once for each id.
-- KEYS[1]  hash of the day: packed row and count -> sum      KEYS[2]  there if these sums were added before
-- ARGV[1]  seconds that the day is kept                      ARGV[2..] fields and what to add to them, in turn
if not redis.call('SET', KEYS[2], 1, 'NX', 'EX', 86400) then return 0 end
for i = 2, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1

-- Add a turn.
-- ARGV[3]  new instructions, or '' to keep those that there are      ARGV[4]  bytes of these
-- ARGV[5]  bytes of the messages                                     ARGV[6]  and on: the messages
local why = missing()
if why then return why end
local more = tonumber(ARGV[5])
if ARGV[3] ~= '' then
  more = more + ARGV[4] - redis.call('HGET', KEYS[1], 'leading')
  redis.call('HSET', KEYS[1], 'instructions', ARGV[3], 'leading', ARGV[4])
end
redis.call('HINCRBY', KEYS[1], 'messages', push(6))
redis.call('HINCRBY', KEYS[1], 'size', more)
redis.call('HINCRBY', KEYS[1], 'turns', 1)
touch()
return head(KEYS[1])

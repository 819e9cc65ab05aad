-- Add a turn.
-- ARGV[4]  new instructions, or '' to keep those that there are      ARGV[5]  bytes of these
-- ARGV[6]  bytes of the messages                                     ARGV[7]  and on: the messages
local why = missing()
if why then return why end
local more = tonumber(ARGV[6])
if ARGV[4] ~= '' then
  more = more + ARGV[5] - redis.call('HGET', KEYS[1], 'leading')
  redis.call('HSET', KEYS[1], 'instructions', ARGV[4], 'leading', ARGV[5])
end
redis.call('HINCRBY', KEYS[1], 'messages', push(7))
redis.call('HINCRBY', KEYS[1], 'size', more)
redis.call('HINCRBY', KEYS[1], 'turns', 1)
touch()
return head()

-- Keep a new session.
-- ARGV[3]  milliseconds that it lives without use      ARGV[4]  what is packed about it
-- ARGV[5]  its instructions                            ARGV[6]  bytes of these
-- ARGV[7]  bytes of everything in it                   ARGV[8]  how many sessions this owner may have
-- ARGV[9] and on: its messages
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[8]) then return 'full' end
redis.call('HSET', KEYS[1], 'about', ARGV[4], 'ttl', ARGV[3], 'turns', 0, 'messages', push(9), 'size', ARGV[7],
  'instructions', ARGV[5], 'leading', ARGV[6])
touch()
return 'kept'

-- Keep a new session.
-- ARGV[4]  milliseconds that it lives without use      ARGV[5]  what is packed about it
-- ARGV[6]  its instructions                            ARGV[7]  bytes of these
-- ARGV[8]  bytes of everything in it                   ARGV[9]  how many sessions this owner may have
-- ARGV[10] and on: its messages
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[9]) then return 'full' end
redis.call('HSET', KEYS[1], 'about', ARGV[5], 'ttl', ARGV[4], 'turns', 0, 'messages', push(10), 'size', ARGV[8],
  'instructions', ARGV[6], 'leading', ARGV[7])
touch()
return 'kept'

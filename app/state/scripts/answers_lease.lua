-- Renew a lease, or give it back; returns whether it was still there.
-- KEYS[1]  string: the token of who makes the call
-- ARGV[1]  token of who asks
-- ARGV[2]  milliseconds from now on; 0 gives the lease back
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then redis.call('DEL', KEYS[1]) else redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1

-- Store::family.
return { redis.call('HGET', key('f', ARGV[3]), 'sealed') or nil }

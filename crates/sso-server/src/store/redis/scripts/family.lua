-- Store::family.
return redis.call('HGET', key('family', ARGV[3]), 'sealed')

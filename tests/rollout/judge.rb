# ruby judge.rb FOLDER < cases: the arm of each case as Shopify's own Liquid renders it. Its filter sha256 is no part of the gem.

require "digest"
require "json"
require "liquid"

module ShopifyFilters
  def sha256(input)
    Digest::SHA256.hexdigest(input.to_s)
  end
end

cases = JSON.parse($stdin.read.force_encoding("UTF-8"))
Liquid::Template.file_system = Liquid::LocalFileSystem.new(ARGV[0], "%s.liquid")
Liquid::Template.register_filter(ShopifyFilters)
Liquid::Template.error_mode = :strict
call = "{% render 'everloop-arm', unit: unit, stage: stage, salt: salt, covered: covered, given: given %}"
template = Liquid::Template.parse(call)
puts JSON.generate(cases.map { |one| template.render!(one, strict_filters: true) })

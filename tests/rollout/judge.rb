# ruby judge.rb FOLDER < cases: the arm of each case as Shopify's own Liquid renders it. Its filter sha256 is no part of the gem.

require "digest"
require "json"
require "liquid"

module ShopifyFilters
  def sha256(input)
    Digest::SHA256.hexdigest(input.to_s)
  end
end

# Shopify's own file system allows the hyphens of a theme's snippets, the gem's does not.
Snippets = Struct.new(:folder) do
  def read_template_file(name)
    File.read(File.join(folder, "#{name}.liquid"), encoding: "UTF-8")
  end
end

cases = JSON.parse($stdin.read.force_encoding("UTF-8"))
Liquid::Template.file_system = Snippets.new(ARGV[0])
Liquid::Template.register_filter(ShopifyFilters)
Liquid::Template.error_mode = :strict
call = "{% render 'everloop-arm', unit: unit, stage: stage, salt: salt, covered: covered, given: given, control_salt: controlSalt, kept: kept, candidates: candidates %}"
template = Liquid::Template.parse(call)
puts JSON.generate(cases.map { |one| template.render!(one.merge("candidates" => one["candidates"]&.join(",")), strict_filters: true) })

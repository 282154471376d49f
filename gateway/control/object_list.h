// SPDX-License-Identifier: Apache-2.0
// A list of named objects that its copies share: copying the state of a thousand target groups
// copies a thousand pointers, and what a change has not touched is known by its address. An object
// is copied when it is about to be changed and somebody else has it too.
//
//   Config next = running;                            // shares everything
//   next.target_groups.edit("ids")->targets.clear();  // one copy of one group
//   next.target_groups.shared(0) == running.target_groups.shared(0)  // untouched?
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::gateway {

template <class Object>
class ObjectList {
 public:
  using value_type = Object;
  using Shared = std::shared_ptr<const Object>;

  class const_iterator {
   public:
    using value_type = Object;
    using difference_type = std::ptrdiff_t;
    using reference = const Object&;
    using pointer = const Object*;
    using iterator_category = std::forward_iterator_tag;

    const_iterator() = default;
    explicit const_iterator(const std::shared_ptr<Object>* at) : at_(at) {}
    const Object& operator*() const { return **at_; }
    const Object* operator->() const { return at_->get(); }
    const_iterator& operator++() {
      ++at_;
      return *this;
    }
    const_iterator operator++(int) { return const_iterator(at_++); }
    bool operator==(const const_iterator&) const = default;

   private:
    const std::shared_ptr<Object>* at_ = nullptr;
  };

  size_t size() const { return objects_.size(); }
  bool empty() const { return objects_.empty(); }
  const_iterator begin() const { return const_iterator(objects_.data()); }
  const_iterator end() const { return const_iterator(objects_.data() + objects_.size()); }
  const Object& operator[](size_t i) const { return *objects_[i]; }
  const Object& back() const { return *objects_.back(); }

  // What stands in the place, for comparing addresses and for keeping it.
  Shared shared(size_t i) const { return objects_[i]; }
  // Whether both lists hold the very same objects in the same order.
  bool same_objects(const ObjectList& other) const { return objects_ == other.objects_; }

  // Where the first object of that name (of the network's objects: that id) stands; size() for
  // none.
  size_t place_of(std::string_view name) const {
    if (objects_.empty()) return 0;
    const uint32_t place = places_[probe(name)];
    return place == 0 ? objects_.size() : place - 1;
  }
  // That object, or null.
  const Object* find(std::string_view name) const {
    const size_t i = place_of(name);
    return i == objects_.size() ? nullptr : objects_[i].get();
  }
  Shared find_shared(std::string_view name) const {
    const size_t i = place_of(name);
    return i == objects_.size() ? nullptr : objects_[i];
  }

  // For changing an object; its name must stay.
  Object& operator[](size_t i) {
    if (objects_[i].use_count() != 1) objects_[i] = std::make_shared<Object>(*objects_[i]);
    return *objects_[i];
  }
  Object* edit(std::string_view name) {
    const size_t i = place_of(name);
    return i == objects_.size() ? nullptr : &(*this)[i];
  }

  void push_back(Object object) { add(std::make_shared<Object>(std::move(object))); }
  // The object of that name becomes `object`; at the end if there was none.
  void put(Object object) {
    const size_t i = place_of(name_of(object));
    if (i == objects_.size()) return push_back(std::move(object));
    objects_[i] = std::make_shared<Object>(std::move(object));
  }
  // Adds an object that `from` has under that name, and shares it.
  void share(const ObjectList& from, std::string_view name) {
    add(from.objects_[from.place_of(name)]);
  }
  template <class Predicate>
  size_t erase_if(const Predicate& gone) {
    const size_t count =
        std::erase_if(objects_, [&](const auto& object) { return gone(std::as_const(*object)); });
    if (count != 0) index_all();
    return count;
  }
  void clear() {
    objects_.clear();
    places_.clear();
  }

  bool operator==(const ObjectList& other) const {
    return std::ranges::equal(objects_, other.objects_,
                              [](const auto& a, const auto& b) { return a == b || *a == *b; });
  }

 private:
  static const std::string& name_of(const Object& object) {
    if constexpr (requires { object.name; })
      return object.name;
    else
      return object.id;
  }
  // Open addressing over a power of two of places, at most half of them taken.
  size_t probe(std::string_view name) const {
    size_t at = std::hash<std::string_view>()(name) & (places_.size() - 1);
    while (places_[at] != 0 && name_of(*objects_[places_[at] - 1]) != name)
      at = (at + 1) & (places_.size() - 1);
    return at;
  }
  void add(std::shared_ptr<Object> object) {
    objects_.push_back(std::move(object));
    if (objects_.size() * 2 > places_.size())
      index_all();
    else
      index(objects_.size() - 1);
  }
  void index(size_t i) {
    uint32_t& place = places_[probe(name_of(*objects_[i]))];
    if (place == 0) place = static_cast<uint32_t>(i + 1);  // else the name is there twice
  }
  void index_all() {
    size_t count = 8;
    while (count < objects_.size() * 2) count *= 2;
    places_.assign(count, 0);
    for (size_t i = 0; i < objects_.size(); i++) index(i);
  }

  std::vector<std::shared_ptr<Object>> objects_;
  std::vector<uint32_t> places_;  // of the name's hash: where the object stands, from 1; 0: nowhere
};

}  // namespace sluice::gateway
